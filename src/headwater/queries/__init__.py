"""Answering queries. Read asking.py."""
