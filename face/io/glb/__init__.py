"""Parts of GLB files: the binary buffer and what moves in it. Imports face/clip, face/head and face/io/convert."""
