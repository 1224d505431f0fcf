"""From a Report to text: one publisher a form. No publisher decides anything."""
