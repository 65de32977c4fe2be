"""Updates and the models' folder, the last panel of the Models tab."""
