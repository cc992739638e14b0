"""Reading and writing files: video, glTF, other tools' parameters and heads. Imports the rest of face."""
