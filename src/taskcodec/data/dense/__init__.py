"""Pictures with what dense tasks ask of them: boxes, objects, a class for each pixel, depth."""
