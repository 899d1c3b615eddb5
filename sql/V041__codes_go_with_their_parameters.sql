-- V041  A code is one of its parameter and system. Taken for independent, the three made the planner expect a tenth to a hundredth
-- of the rows that have a frequent code. Expands only.

create statistics search_values_code_stats (mcv) on param, system, code from search_values;
create statistics clinical_search_values_code_stats (mcv) on param, system, code from clinical_search_values;
analyze search_values;
analyze clinical_search_values;
