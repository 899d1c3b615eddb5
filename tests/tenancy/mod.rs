mod child;
mod lifecycle;
mod machines;
mod migrations;
mod plans;
mod quotas;
mod tree;
