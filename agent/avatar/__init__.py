"""Tools that make heads of persons from photos. Imports agent's options and requests, data_gen and face."""
