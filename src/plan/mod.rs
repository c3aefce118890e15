//! Settings to trials: the catalogue, designs, and how a level reaches the job.
