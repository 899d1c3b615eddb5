mod access_report;
mod contract;
mod export;
mod identifiers;
mod merge;
mod pages;
mod proxies;
