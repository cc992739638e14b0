"""Files: pictures and video, glTF, heads and parameters of other tools. Imports the rest of face and common."""
