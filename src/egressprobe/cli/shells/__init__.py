"""Shell completion: what a word of the command line may be (words.py), and a script of it for each shell."""
