"""Faces: clips, heads, facial actions, files, pictures, retargeting. Imports common; clip < head < the others < io."""
