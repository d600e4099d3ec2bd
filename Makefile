# make demo   a cluster's life on an emulated AWS: create, validate, create again, delete
# make test   every test
# make bench  AWS calls, time and memory for 1, 10 and 100 node groups

.PHONY: demo test bench

demo:
	@exec scripts/demo.sh

test:
	@exec scripts/test.sh

bench:
	@exec scripts/bench.sh
