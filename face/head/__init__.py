"""Head models in FLAME's layout: file, skinning, surface queries. Imports common and face/clip."""
