import pytest

from analysis import computation
from analysis.load import load
from tests.analysis.make_run import FILE_BYTES, make_run, make_scenario, makespan_of

CLIENTS = 4


def measured(tmp_path, placement, change=None):
    scenario = make_scenario(clients=(CLIENTS,), repeats=1, placement=(placement,))
    return load(make_run(tmp_path, scenario, arms=("swarm",), change=change))


def per_gigabyte(run):
    return computation.cpu_seconds_per_gigabyte(run.samples, run.nodes, run.file_bytes).iloc[0]


def test_each_role_has_the_processor_time_of_its_processes(tmp_path):
    run = measured(tmp_path, "origin apart")
    found = per_gigabyte(run)
    gigabytes = CLIENTS * FILE_BYTES / 1e9
    seconds = run.samples["at_seconds"].max()
    assert seconds >= makespan_of("swarm", CLIENTS, 0)
    assert found["origin_cpu_seconds_per_gigabyte"] == pytest.approx(0.1 * seconds / gigabytes)
    assert found["client_cpu_seconds_per_gigabyte"] == pytest.approx(0.098 * seconds / gigabytes)


def test_roles_that_share_a_process_have_no_figure_of_their_own(tmp_path):
    assert per_gigabyte(measured(tmp_path, "together")).isna().all()


def test_process_that_was_not_sampled_leaves_its_role_unknown(tmp_path):
    def forget_origin(record):
        record.samples = [one for one in record.samples if one.process != 0]

    found = per_gigabyte(measured(tmp_path, "origin apart", forget_origin))
    assert found.isna().tolist() == [True, False]


def test_population_leaves_out_the_load_generator(tmp_path):
    run = measured(tmp_path, "origin apart")
    found = computation.populations(run.samples)
    assert set(found["process"]) == {0, 1}
    assert found["downloading"].max() == CLIENTS
