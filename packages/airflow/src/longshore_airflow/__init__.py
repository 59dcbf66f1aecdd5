"""Longshore inside Airflow: runs of workflows, machines and results as tasks of a DAG."""
