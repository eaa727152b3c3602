"""Golden vectors and bad bundles, for every port of the runtime."""
