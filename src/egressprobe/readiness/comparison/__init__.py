"""Two reports beside each other: what is worse, better, slower, new and gone."""
