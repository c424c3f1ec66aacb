"""Layouts of MIB and folders of dictionaries made into submissions; what they do not say is asked for."""
