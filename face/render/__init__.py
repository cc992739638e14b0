"""Pictures of a head: camera, shading, rasterisation, contact sheets. Imports face/clip and face/head."""
