"""Tools for photos. Imports the other files of agent, data_gen and face."""
