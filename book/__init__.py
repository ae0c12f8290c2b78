"""The book's workshop: notebooks/NN_topic.py (what is written) becomes NN_topic.ipynb (what is read).

``python -m book build`` runs what changed, ``check`` finds what is out of step without running
anything, ``links`` carries the repository's address to every place that needs it. One module for
each: ``builder``, ``rules``, ``links``; ``source`` reads a notebook's text for all of them.
"""
