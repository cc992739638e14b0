"""Avatars from photos and films: the fit joined to mesh, hair and texture. Imports data_gen/fit and face."""
