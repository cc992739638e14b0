"""What a measurement holds that answers a script, and what a filmed face shows; may import face.clip, face.head and face.facs."""
