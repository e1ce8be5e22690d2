"""OpenAI-compatible endpoints: one client for judges, rewriters and embedders. See docs/endpoints.md."""
