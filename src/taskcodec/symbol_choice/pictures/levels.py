"""What each effort takes; docs/effort.md tells what it gains."""

from taskcodec.symbol_choice.pictures.annealing import Schedule

LEVELS = {
    2: Schedule(10, 0.1),
    3: Schedule(20, 0.1),
    4: Schedule(40, 0.1),
    5: Schedule(80, 0.1),
    6: Schedule(160, 0.1),
    7: Schedule(320, 0.07),
    8: Schedule(640, 0.05),
    9: Schedule(1280, 0.03),
}
