"""From a recipe to merged tensors: recipe, plan, arithmetic, stream, writer. See docs/merging.md."""
