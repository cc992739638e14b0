"""A photo's pixels moved by a head's mesh: flow, light, lids, mouth. Imports face/head, face/render and common."""
