"""Could the control plane of this EKS cluster reach what it must call, and if not, which hop is broken?"""

__version__ = "0.1.0"
