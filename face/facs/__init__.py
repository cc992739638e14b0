"""The Facial Action Coding System: vocabulary, poses, scripts and measurement. Imports face/clip and face/head."""
