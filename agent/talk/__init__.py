"""Conversations about clips: what is remembered, what a line asks for, and the answers; may import the rest of agent."""
