"""A person's own head: mesh, texture and files made from pictures. Imports face/head, face/landmarks, face/render and common."""
