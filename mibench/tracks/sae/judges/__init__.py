"""Language models that judge explanations: on this machine, or behind an OpenAI-compatible server."""
