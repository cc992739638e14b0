"""A person's own head: mesh, texture and files made from pictures. Imports face/head, landmarks, photo and render, and common."""
