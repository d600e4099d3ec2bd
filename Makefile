# make demo   a cluster's life on an emulated AWS: create, validate, create again, delete
# make test   every test
# make soak   kills, faults and refusals at every call; NAMES=kills for some of it
# make e2e    clusters of machines that boot, in a fake EC2 region, where there is one; ONLY=name
# make bench  AWS calls, time and memory for 1, 10 and 100 node groups, and of validate for up to 5,000 nodes

.PHONY: demo test soak e2e bench

demo:
	@exec scripts/demo.sh

test:
	@exec scripts/test.sh

soak:
	@exec scripts/soak.sh $(NAMES)

e2e:
	@exec scripts/e2e.sh

bench:
	@exec scripts/bench.sh
