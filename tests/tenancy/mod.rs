mod child;
mod lifecycle;
mod limits;
mod machines;
mod migrations;
mod plans;
mod quotas;
mod tree;
