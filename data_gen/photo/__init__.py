"""A photo with another expression: script to pose, amount by measurement. Imports data_gen.fit, data_gen.performer and face."""
