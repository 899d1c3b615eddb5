mod child;
mod machines;
mod migrations;
mod plans;
mod quotas;
mod tree;
