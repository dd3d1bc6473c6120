"""Run the trainer: ``python -m trainer``. Settings come from the environment, see `trainer.settings`."""

from runtime.service.run import run_service

from trainer.settings import TrainerSettings

if __name__ == "__main__":
    raise SystemExit(run_service(TrainerSettings, "trainer.bootstrap"))
