"""From annotations to a judged model: data set, training job, gate, report."""
