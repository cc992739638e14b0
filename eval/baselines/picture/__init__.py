"""Pictures of the photo systems: DiffEdit, skin tone, enhancement, in-betweens, KDEF. Imports eval, data_gen, face, common."""
