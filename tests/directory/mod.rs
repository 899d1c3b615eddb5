mod profiles;
mod reviews;
