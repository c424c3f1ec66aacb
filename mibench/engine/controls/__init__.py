"""Controls of expressivity: what a method reaches where there is nothing to be found."""
