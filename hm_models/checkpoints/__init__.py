"""Opening what people have: config, headers, tokens, identity, and tensors as mapped memory."""
