"""The paper's experiment at its own size: the archive, four networks, seven rows of Table 1.

    python main.py --config=configs/table1.py --workdir=runs/table1 --config.data.manual_dir=DIR

The other configs import this one and override a few fields.
"""

from ml_collections import ConfigDict


def get_config() -> ConfigDict:
    """Returns every field with its default."""
    config = ConfigDict()
    # What to do: 'records', 'train', 'segment' or 'table1', each with all that comes before it and is not done yet;
    # 'evaluate', table, figures and report again from what a run left; 'tune', the thresholds of 'segment'; 'grid',
    # rate, decay and batch; 'accounting' counts what the readers drew; 'weights' fetches or checks ImageNet's;
    # 'plan' says what a run will take, without training; 'pretrain' makes the embedded starts; 'compare', 'ablations',
    # 'transfer' and 'twin_check' have configs of their own.
    config.task = "table1"
    # Networks to train and compare, of 'gap1', 'gap2', 'gap3' and 'unet'; 'segment' needs gap1.
    config.models = ("gap1", "gap2", "gap3", "unet")
    # Of every random choice in training.
    config.seed = 0
    # Folder of real LIDC scans on which a run on the twin ends: its networks are tried there.
    config.real = ""

    config.data = data = ConfigDict()
    # Folder with the DICOM files of LIDC-IDRI, in any order and depth; or 'twin', the synthetic LIDC twin, which is
    # taken for an empty folder too where max_scans says how many scans.
    data.manual_dir = ""
    # Patients or series UIDs to leave out, separated by commas.
    data.exclude = ""
    # Nothing is trained on these scans: every patient goes to the test split.
    data.held_out = False
    # Take only so many scans, chosen at random among those with a nodule; 0 takes all.
    data.max_scans = 0
    # Slice thickness in mm, from and to; the whole archive lies between 0.6 and 5.
    data.thickness = (0.0, 10.0)
    # Eight patients have two scans: keep the last in order of series UID only.
    data.one_scan_per_patient = False
    # Of the choice of scans, of negative slices and of the split.
    data.seed = 0
    # Pixels along the edge of a crop.
    data.crop = 384
    # Each record also holds the slices nearest to so many mm below and above; 0 leaves them out.
    data.neighbours = 0.0
    # So many readers' masks must overlap for a nodule to count in a slice.
    data.agreement = 2
    # And at least this share of the readers who marked the nodule, from 0 to 1.
    data.agreement_share = 0.0
    # Nodules that fewer readers marked don't count.
    data.min_readers = 1
    # A reader's line lies 'outside' the nodule, as LIDC defines it, and exclusion lines subtract; or 'inside',
    # as the authors' published reader has it: its pixels belong, and exclusion lines are left out.
    data.contour = "outside"
    # Whether an annotation that a reader drew in one slice only counts.
    data.single_contours = True
    # The reference outline: 'staple', 'majority', 'union' or 'intersection' of the readers.
    data.consensus = "staple"
    # Slices with more nodules are left out (and counted).
    data.max_nodules = 2
    # Processes that prepare scans; 0 for one per core.
    data.workers = 0
    # Of the twin's random choices.
    data.twin_seed = 0
    # How the twin's scanners differ, drawn once per scan from these ranges; False: one kernel and dose for all scans.
    data.twin = twin = ConfigDict()
    twin.randomised = True
    # SD of the noise in HU (log-uniform), and its correlation between neighbouring pixels, at most 0.6.
    twin.noise = (4.0, 45.0)
    twin.grain = (0.0, 0.6)
    # SD of streaks along the rows in HU.
    twin.streaks = (0.0, 15.0)
    # Negative blurs, positive sharpens.
    twin.sharpness = (-0.2, 0.25)
    # Factor on HU + 1000, and HU added to all.
    twin.scale = (0.92, 1.08)
    twin.offset = (-35.0, 35.0)

    config.model = model = ConfigDict()
    # Factor on VGG16's numbers of filters.
    model.width = 1.0
    # Filters of each Conv+GAP head, before the factor.
    model.head_filters = 1024
    # Global pooling: 'mean', 'sum' (Eq. 1) or 'lse' (log-mean-exp).
    model.pool = "mean"
    # What the networks compute in: 'float32', or 'bfloat16', which a GPU or TPU does several times faster; the
    # parameters are float32 in both.
    model.dtype = "float32"
    # Pixels along the edge of the networks' input; divides data.crop.
    model.size = 384
    # The three channels of the networks' input: three times the 'same' slice, or the slice between its
    # 'neighbours' at the distance data.neighbours.
    model.channels = "same"
    # HU that become black and white.
    model.window = (-1000.0, 400.0)
    # What the trunk starts from: 'imagenet', 'random', or what is embedded at width 1/8: 'shapes', which was told where
    # blobs lie in drawn patches, or 'patches', trunk and heads, which were told where procedural nodules lie in patches
    # of synthetic chests.
    model.start = "imagenet"
    # For 'imagenet': a file of VGG16's weights from Keras (.h5), torchvision (.pth) or timm (.safetensors), or a .npz
    # in Keras's names; each brings its own preprocessing. Empty: Keras's, fetched into weights/ at first use. For
    # 'shapes' and 'patches' another file of that kind.
    model.weights = ""
    # With ImageNet's weights each head's input is divided by the rms of its source on CT ('unit'), or by nothing
    # ('none': heads that stand on hundreds diverge at the rates below). Embedded and random starts need none.
    model.head_scale = "unit"

    config.train = train = ConfigDict()
    # Learning rates of the new layers of 1-, 2- and 3-GAP.
    train.rates = (1e-2, 2e-3, 1e-3)
    # The trunk learns at this share of the rate; layers of it that start at random learn at the whole rate.
    train.trunk_factor = 0.1
    train.momentum = 0.9
    # Factor on the rate after each epoch.
    train.decay = 0.99
    train.batch = 30
    train.epochs = 30
    # The epoch that is kept: of best validation 'accuracy', or of highest 'hit' rate, in which the NAM's peak inside
    # the lungs most often lies within 5 mm of a validation slice's nodule (of equal ones the more accurate). The latter
    # needs outlines of the validation split: the twin has them, a lab with slice labels alone does not.
    train.choose = "accuracy"
    # Mirror slices at random.
    train.flip = False
    # Shift slices at random, by up to so many pixels of the crop.
    train.shift = 0

    config.unet = unet = ConfigDict()
    # Training slices: 'all', or those with a 'nodule' only, after which it marks something nearly everywhere.
    unet.slices = "all"
    # Soft Dice, smoothed by a pixel, of all pixels of the 'batch' taken together (which no fit.portions can work off),
    # or of each 'slice'. Validation quality of the demo's U-Net (twin) after one epoch: 0.37 and 0.31.
    unet.loss = "batch"
    # Way down: the original's ('unet'), or VGG16's trunk ('vgg'), which starts as the weak networks' does (model.start,
    # model.width).
    unet.encoder = "unet"
    # Factor on the original's 64 to 1,024 filters; with the trunk, on those of the way up.
    unet.width = 1.0
    # Channels that are normalised together (GroupNorm); divides all numbers of filters.
    unet.group = 2
    # First value of the logits' bias: -3 is 5 % in each pixel.
    unet.bias = -3.0
    # Adam's rate; a trunk that doesn't start at random learns at this share of it.
    unet.rate = 2e-4
    unet.trunk_factor = 0.1
    # Factor on the rate after each epoch.
    unet.decay = 0.999
    unet.batch = 20
    # The epoch of best validation quality is kept: twice the slices' sum of Dice, by the number of slices with a nodule
    # plus that of slices in which something is marked.
    unet.epochs = 30
    unet.flip = False
    unet.shift = 0

    # How training uses the machine; none of it changes what is learned.
    config.fit = fit = ConfigDict()
    # Where the slices wait: in the 'device' memory, in the 'host' memory, on disk and decoded in the background
    # ('stream'), or the first of these with room ('auto').
    fit.input = "auto"
    # A batch that doesn't fit the device's memory is worked off in so many portions, to the same step.
    fit.portions = 1
    # Minutes between checkpoints, besides the one after each epoch.
    fit.save_minutes = 5.0

    config.segment = segment = ConfigDict()
    # 1-GAP probability from which on a slice is searched for nodules.
    segment.detect = 0.5
    # The weights of a NAM: those of the nodule class minus the other's ('difference'), or its own ('nodule').
    segment.contrast = "difference"
    # Pixels of the Gaussian that smooths a NAM before its blobs are sought.
    segment.sigma = 4.0
    # A blob's pixels exceed this share of the NAM's maximum in the lungs.
    segment.tau = 0.5
    # A multi-GAP NAM's peak counts inside C1 if it reaches this share of that map's maximum in the slice.
    segment.reach = 0.5
    # HU of the phases, ascending; whether each sweep re-estimates them; the weight of the boundary between phases.
    segment.means = (-900.0, -700.0, -600.0, -200.0)
    segment.reestimate = False
    segment.beta = 0.3
    # Sweeps of the ICM, at most. On 74 slices of four real scans it takes 15 on average, 29 at most, until nothing
    # changes; that lowers the energy of 8 sweeps by 0.12 % and moves 0.06 % of the labels (benchmarks/phases.py).
    segment.sweeps = 8
    # Candidates are pieces of the 'phases', or of thresholds of the HU ('full': more, with openings of its own).
    segment.candidates = "phases"
    # Radius in mm of the disc that closes the lungs; smaller parts of a lung (mm²) are left out.
    segment.hull_closing = 10.0
    segment.hull_part = 100.0
    # Radii in pixels of the discs that detach candidates from vessels.
    segment.openings = (1.5, 3.0)
    # Smallest candidate in mm², and how many per scope; beyond that the largest stay.
    segment.min_area = 4.0
    segment.max_candidates = 32
    # What a masked candidate is filled with: 'parenchyma', 'floor' or 'mean'.
    segment.fill = "parenchyma"
    # How masked copies go through the network: 'incremental', only what each can change, or 'full', the reference.
    segment.screening = "incremental"
    # Which outline of the object that Eq. 4 picks: the one with the steepest 'edge' on which the others agree, the
    # most 'compact', or the candidate of Eq. 4 itself ('eq4').
    segment.outline = "edge"
    # Slices per call of a network, and masked copies; 0 copies take what suits the device.
    segment.batch = 8
    segment.copies = 0

    # Test scans that are searched whole, at most, for FROC and figures at the natural share of nodules; 0 leaves it
    # out. Every slice from this 1-GAP probability on is searched, so that FROC has marks under `segment.detect` too.
    config.scans = scans = ConfigDict()
    scans.most = 1000
    scans.detect = 0.1
    # What ranks a scan's marks: the 'probability' of their slice, the 'change' of the 1-GAP map without them (with that
    # probability), the 'maps' in them, or the 'edge' around them (with the finest map).
    scans.score = "probability"

    # The task 'tune': for each field of 'segment', values to try besides its own.
    config.tune = tune = ConfigDict()
    tune.fields = fields = ConfigDict()
    fields.sigma = (2.0, 4.0, 6.0)
    fields.tau = (0.3, 0.4, 0.5, 0.6, 0.7)
    fields.reach = (0.3, 0.5, 0.7)
    fields.beta = (0.1, 0.3, 1.0)
    fields.openings = ((1.5,), (1.5, 3.0), (3.0,))
    fields.reestimate = (False, True)
    fields.fill = ("parenchyma", "floor", "mean")
    fields.outline = ("compact", "edge", "eq4")
    # A value must raise the mean Dice by more than this to replace the one before.
    tune.least = 0.005

    # Trials on real scans, by `real` above or by the task 'transfer' (configs/transfer.py): so many readers make a
    # nodule count there, and the seeds of the task's trainings.
    config.transfer = transfer = ConfigDict()
    transfer.agreement = 2
    transfer.seeds = (0, 1, 2)

    # The task 'plan': besides this machine, one whose matrix product runs at so many TFLOP/s (0: none), of which the
    # networks reach this share, an assumption; and the GiB of its device's memory (0: this device's).
    config.plan = plan = ConfigDict()
    plan.rate = 0.0
    plan.share = 0.4
    plan.memory = 0.0

    config.evaluate = evaluate = ConfigDict()
    # Draws of patients behind each interval.
    evaluate.draws = 2000
    evaluate.seed = 0
    return config
