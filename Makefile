# Enamel: `make run` brings it up, `make test` proves it.
CARGO ?= cargo
SETUP := deploy/setup/debian

.PHONY: run test lint bench openapi fuzz demo isolation-mutants setup setup-test

# Builds release and starts everything Enamel needs on loopback, with a demo world.
run: setup
	$(CARGO) build --release --bin enamel
	./target/release/enamel up

# One profile: the dev binary serves the tests and the end-to-end runs.
test: setup-test
	$(CARGO) test --locked

lint:
	$(CARGO) fmt --check
	$(CARGO) clippy --locked --all-targets -- -D warnings

# Speed and memory, as ratios against stated limits, in one run on this machine.
bench: setup-test
	$(CARGO) bench --locked --bench throughput

# Rebuilds everything generated under openapi/; the tests fail when it would change a byte. A change that would break
# programs written for the document as it stands is refused, and done by `make openapi BREAKING=--breaking`.
openapi:
	$(CARGO) run --locked --bin enamel -- openapi $(BREAKING)
	ENAMEL_GOLDEN=write $(CARGO) test --locked --test main the_written_model

# Every parser of foreign bytes under random and mutated input, for a bounded time each.
fuzz:
	FUZZ_SECONDS=$${FUZZ_SECONDS:-60} $(CARGO) test --locked --test main fuzz -- --nocapture

# The main job on real input, told step by step.
demo: setup-test
	$(CARGO) test --locked --test main the_main_job -- --nocapture

# Loosens every policy in turn, as the tests do, and says how many ways there were; the isolation suite has to notice each.
isolation-mutants: setup-test
	$(CARGO) test --locked --test main isolation::mutants -- --nocapture

setup:
	@$(SETUP)
setup-test:
	@$(SETUP) test
