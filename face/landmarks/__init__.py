"""MediaPipe's 478 landmarks on the default head. Imports face/clip and face/head."""
