"""The doctor in anybody's loop: watches CTC losses and optimisers wherever torch runs them."""
