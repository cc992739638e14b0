"""What a measurement holds that answers the cues of a script; may import face.clip, face.head and face.facs."""
