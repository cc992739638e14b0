"""Readers of FLAME parameters, a file a layout. Imports face/io/convert's base."""

from .dicts import DECA, EMOCA, SMIRK, VHAP, FlameFormat

__all__ = ["DECA", "EMOCA", "SMIRK", "VHAP", "FlameFormat"]
