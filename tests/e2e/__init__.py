"""End-to-end tests: kclust makes clusters of machines that boot, in a fake EC2 region."""
