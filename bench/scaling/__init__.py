"""How does the cost of a Carrack server grow with its work? Each module measures one way of growing; `bench/scale` runs them."""
