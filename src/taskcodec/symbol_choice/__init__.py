"""How symbols are chosen when encoding. Files do not know: any choice decodes."""
