"""Who said what, for videoannotator: words attributed to speakers, overlap told."""
